# The later term decides before the length does.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
given 1 term 3 log 1 1 1 1
given 2 term 3 log 1 3
given 3 term 3 log 1 3
campaign 1
run
expect 1 role follower term 4
campaign 2
run
expect 2 role leader term 5
log 1 1:x 3:x 5:-
