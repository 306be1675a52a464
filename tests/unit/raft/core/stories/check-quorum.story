# A leader that hears no quorum steps down, within two election timeouts.
nodes 1 2 3
campaign 1
run
pass 10
expect 1 role leader
cut 1
tick 1 20
settle 1
expect 1 role follower term 1 leader 0
propose 1 x
refused NotLeader
