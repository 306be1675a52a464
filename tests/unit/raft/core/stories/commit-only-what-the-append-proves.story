# A follower's own uncommitted tail is not committed by the leader's higher commit index.
option check-quorum 0
option pre-vote 0
option message-bytes 0
nodes 1 2 3
given 1 term 2 log 1 2 2 2
given 2 term 2 log 1 1 1 1
given 3 term 2 log 1 2 2 2
cut 2
campaign 1
run
expect 1 commit 5
heal
tick 1
deliver 1 2 heartbeat
expect 2 commit 0
deliver 2 1
deliver 1 2 append
deliver 2 1 append-answer
deliver 1 2 append
expect 2 commit 2
run
log 2 1:x 2:x 2:x 2:x 3:-
