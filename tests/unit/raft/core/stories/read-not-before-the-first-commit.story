# A fresh leader does not know what its predecessors committed until it has committed itself.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
run
propose 1 a
run
campaign 2
deliver 2 3 vote
deliver 3 2
expect 2 role leader term 2 commit 2
read 2 r
settle 2
lease 2 no
tick 2
deliver 2 3 heartbeat
deliver 3 2 heartbeat-answer
answer 2 r none
run
answer 2 r 3
