# From the moment a transfer has begun nobody knows when the target is elected: no more lease.
nodes 1 2 3
campaign 1
run
pass 1
lease 1 yes
transfer 1 2
lease 1 no
settle 1
lose 1 2
pass 12
expect 1 role leader
lease 1 no
read 1 r
run
answer 1 r 1
