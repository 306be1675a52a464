# A snapshot whose entries the follower has by now costs nothing: only its commit index is news.
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
progress 1 3 snapshot match 1 next 2
append 1 3 term 1 after 1 of 1 commit 1 entries 1 1
expect 3 last 3 commit 1
deliver 1 3 snapshot
expect 3 last 3 commit 3 first 1
deliver 3 1
progress 1 3 replicate match 3 next 4
