# The answer to a heartbeat sent before the read came proves nothing about now.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
run
tick 1
settle 1
deliver 1 2 heartbeat   # 2 answers; the answer is slow
settle 2
cut 1 3
cut 3 1
campaign 3
deliver 3 2
deliver 2 3
expect 3 role leader term 2
propose 3 new
run
expect 3 commit 3
