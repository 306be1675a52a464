# A rejection that arrives after the follower has moved on is old news.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
given 1 term 1 log 1 1
given 2 term 1 log
given 3 term 1 log 1 1
campaign 1
deliver 1 3 vote
deliver 3 1
deliver 1 2 append
settle 2
duplicate 2 1
deliver 2 1
run
progress 1 2 replicate match 3 next 4
