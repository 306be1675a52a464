# After a lost append the next heartbeat's answer finds out.
nodes 1 2 3
campaign 1
run
cut 1 2
cut 1 3
propose 1 a
run
expect 1 commit 1
heal
pass 2
expect 1 commit 2
applied 2 a
