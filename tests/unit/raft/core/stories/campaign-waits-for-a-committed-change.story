# Whoever has a committed change still to apply would count by the old membership.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
spawn 4
campaign 1
run
hold-apply 2
change 1 +4
run
pass 2
expect 2 voters 1,2,3
campaign 2
refused Busy
tick 2 50
settle 2
expect 2 role follower
apply 2
campaign 2
run
expect 2 role leader voters 1,2,3,4
