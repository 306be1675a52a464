# A candidate whose log is behind gets no vote (dissertation 3.6.1).
option check-quorum 0
option pre-vote 0
nodes 1 2 3
given 1 term 1 log 1 1
given 2 term 1 log 1
given 3 term 1 log 1 1
campaign 2
run
expect 2 role follower term 2
campaign 1
run
expect 1 role leader term 3
log 2 1:x 1:x 3:-
