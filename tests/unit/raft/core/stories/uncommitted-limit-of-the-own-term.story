# What an earlier term left behind was never counted, so its commit makes no room either.
option uncommitted-bytes 4
option check-quorum 0
nodes 1 2 3
given 1 term 1 log 1 1 1 1
campaign 1
deliver 1 2 pre-vote
deliver 2 1 pre-vote-answer
deliver 1 2 vote
deliver 2 1 vote-answer
expect 1 role leader last 5 commit 0
propose 1 aaa
propose 1 bb
refused Busy
hold-persist 1
run
expect 1 commit 6
propose 1 bb
propose 1 ccc
refused Busy
