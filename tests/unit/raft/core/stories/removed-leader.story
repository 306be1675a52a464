# A leader that is removed leads until its removal is applied, then steps down.
nodes 1 2 3
campaign 1
run
change 1 -1
run
expect 1 role follower voters 2,3
pass 25
expect 1 role follower
propose 1 x
refused NotLeader
