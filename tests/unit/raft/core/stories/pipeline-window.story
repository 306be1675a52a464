# Appends are pipelined up to the window; an answer opens it again.
option inflight-messages 2
nodes 1 2 3
campaign 1
run
cut 3
propose 1 a
settle 1
propose 1 b
settle 1
propose 1 c
settle 1
waiting 1 2 append,append
deliver 1 2
deliver 2 1
waiting 1 2 append
run
expect 1 commit 4
