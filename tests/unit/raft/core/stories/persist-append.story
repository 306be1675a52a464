# An append is acknowledged only when it is durable, by followers and by the leader itself.
nodes 1 2 3
campaign 1
run
cut 3
hold-persist 1
hold-persist 2
propose 1 a
deliver 1 2
waiting 2 1 -
persist 2
deliver 2 1
expect 1 commit 1
persist 1
expect 1 commit 2
