# A snapshot that arrives twice does not take back what came after it.
nodes 1 2 3
campaign 1
run
cut 3
propose 1 a b
run
compact 1 3
heal
tick 1
deliver 1 3 heartbeat
deliver 3 1 heartbeat-answer
deliver 1 3 append
deliver 3 1 append-answer
settle 1
duplicate 1 3
deliver-first 1 3 snapshot
deliver 3 1
propose 1 c
deliver 1 3 append
expect 3 last 4
deliver 3 1 append-answer
deliver 1 3 append
expect 3 commit 4 applied 4
compact 3 4
deliver 1 3 snapshot
expect 3 last 4 commit 4
run
pass 1
applied 3 a b c
