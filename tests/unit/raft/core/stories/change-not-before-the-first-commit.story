option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
deliver 1 2 vote
deliver 2 1
expect 1 role leader commit 0
change 1 -3
refused Busy
run
change 1 -3
run
expect 1 voters 1,2
