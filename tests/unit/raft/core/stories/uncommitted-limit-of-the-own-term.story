# What an earlier term left behind was never counted, so its commit makes no room either.
option check-quorum 0
option pre-vote 0
option uncommitted-bytes 4
option message-bytes 1      # an entry a message
nodes 1 2 3
campaign 1
run
cut 1
propose 1 xxxx
settle 1
heal
cut 3
campaign 2
deliver 2 1 vote
campaign 1
deliver 1 2 vote
deliver 2 1 vote-answer
expect 1 role leader term 3 last 3 commit 1
propose 1 aaa
propose 1 b
propose 1 c
refused Busy
deliver 1 2 append
deliver 2 1 append-answer   # refused: node 2 lacks what the first term left
deliver 1 2 append
deliver 2 1 append-answer
deliver-first 1 2 append
deliver 2 1 append-answer
expect 1 commit 3
propose 1 c
refused Busy
run
expect 1 commit 5
propose 1 c
