# What follows a replaced entry goes with it.
option check-quorum 0
option pre-vote 0
option message-bytes 0
nodes 1 2 3
given 1 term 2 log 1 2
given 2 term 2 log 1 1 1 1
given 3 term 2 log 1
campaign 1
deliver 1 3 vote
deliver 3 1
deliver 1 2 append
deliver 2 1
deliver 1 2 append
log 2 1:x 2:x
