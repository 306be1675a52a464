# A failed snapshot is tried again.
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
lose 1 3 snapshot
progress 1 3 snapshot match 1 next 2
pass 3
progress 1 3 snapshot match 1 next 2
snapshot-fails 1 3
pass 3
applied 3 a b
progress 1 3 replicate match 3 next 4
