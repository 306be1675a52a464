# Figure 7 of the Raft paper: whatever the followers hold, they end up like the leader of term 8.
option check-quorum 0
option pre-vote 0
nodes 1 2 3 4 5 6 7
given 1 term 7 log 1 1 1 4 4 5 5 6 6 6
given 2 term 6 log 1 1 1 4 4 5 5 6 6
given 3 term 4 log 1 1 1 4
given 4 term 6 log 1 1 1 4 4 5 5 6 6 6 6
given 5 term 7 log 1 1 1 4 4 5 5 6 6 6 7 7
given 6 term 4 log 1 1 1 4 4 4 4
given 7 term 3 log 1 1 1 2 2 2 3 3 3 3 3
campaign 1
run
expect 1 role leader term 8 commit 11
log 2 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
log 3 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
log 4 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
log 5 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
log 6 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
log 7 1:x 1:x 1:x 4:x 4:x 5:x 5:x 6:x 6:x 6:x 8:-
