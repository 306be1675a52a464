# The window closes when its bytes are used up; one message of any size passes.
option inflight-bytes 3
nodes 1 2 3
campaign 1
run
cut 3
propose 1 longer
settle 1
propose 1 b
settle 1
waiting 1 2 append
run
expect 1 commit 3
