# A node that cannot campaign and is ahead in terms tells its leader.
option check-quorum 0
option pre-vote 0
nodes 1 2
spawn 3
given 3 term 7 log
campaign 1
run
change 1 ?3
run
pass 30
expect 3 role follower term 8 learners 3
applied 3
