# The leader leaves and its log is longer: the one that stays lacks its vote, and learns instead that
# it does not need it.
option check-quorum 0
nodes 1 2
campaign 1
run
hold-apply 1
change 1 -1
deliver 1 2 append
deliver 2 1 append-answer
settle 1
lose 1 2
propose 1 x
settle 1
lose 1 2
apply 1
settle 1
lose 1 2
expect 1 role follower voters 2 last 3
expect 2 voters 1,2 last 2 commit 1
pass 50
expect 2 role leader voters 2
