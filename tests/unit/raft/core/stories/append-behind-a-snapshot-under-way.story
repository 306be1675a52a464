# Appends may follow a snapshot that is not durable yet, and come twice; nothing is acknowledged before.
nodes 1 2 3
campaign 1
run
cut 3
propose 1 a b
run
compact 1 3
propose 1 x x
run
heal
tick 1
deliver 1 3 heartbeat
deliver 3 1 heartbeat-answer
deliver 1 3 append
deliver 3 1 append-answer
hold-persist 3
deliver 1 3 snapshot
expect 3 first 4 last 3 commit 3
append 1 3 term 1 after 3 of 1 commit 3 entries 1
expect 3 last 4
append 1 3 term 1 after 3 of 1 commit 5 entries 1 1
expect 3 last 5 commit 5
append 1 3 term 1 after 2 of 1 commit 5 entries 1 1
expect 3 last 5 commit 5 applied 3
waiting 3 1 -
persist 3
waiting 3 1 append-answer,append-answer,append-answer,append-answer
deliver 3 1
progress 1 3 replicate match 5 next 6
applied 3 a b x x
