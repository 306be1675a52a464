option check-quorum 0
nodes 1 2 3
campaign 1
run
cut 3
tick 1
deliver 1 2 heartbeat
settle 2
read 1 r
deliver 2 1 heartbeat-answer
answer 1 r none
run
answer 1 r 1
