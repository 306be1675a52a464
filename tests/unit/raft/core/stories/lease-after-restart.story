# A restarted node may have promised silence before: it keeps it for an election timeout.
option pre-vote 0
nodes 1 2 3
campaign 1
run
pass 1
cut 1
restart 2
restart 3
campaign 2
refused Busy
tick 2 21
settle 2
deliver 2 3 vote
waiting 3 2 -
tick 3 11
tick 2 21
deliver 2 3 vote
deliver 3 2
expect 2 role leader
