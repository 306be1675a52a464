# A deposed leader's appends are refused, and it learns of its successor.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
run
cut 1
campaign 2
run
propose 1 lost
settle 1
heal
expect 1 role leader term 1
propose 1 lost2
settle 1
deliver 1 3 append
expect 3 last 2 term 2
pass 1
expect 1 role follower term 2 leader 2
