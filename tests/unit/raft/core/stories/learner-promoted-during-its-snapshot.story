# A promotion changes what counts, not what is known of the node: its snapshot goes on.
nodes 1 2
spawn 3
campaign 1
run
propose 1 a b
run
compact 1 3
change 1 ?3
settle 1
deliver 1 2 append
deliver 2 1 append-answer
settle 1
tick 1
settle 1
deliver 1 3 heartbeat
deliver 3 1 heartbeat-answer
deliver 1 3 append
deliver 3 1 append-answer
progress 1 3 snapshot match 0 next 1
change 1 +3
settle 1
deliver 1 2 append
deliver 2 1 append-answer
expect 1 voters 1,2,3 learners -
progress 1 3 snapshot match 0 next 1
run
pass 2
applied 3 a b
expect 3 voters 1,2,3
