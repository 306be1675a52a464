# Beyond eight members heartbeats come half as often; two fit in an election timeout at any size.
nodes 1 2 3 4 5 6 7 8
spawn 9
campaign 1
run
tick 1
waiting 1 2 heartbeat
run
change 1 ?9
run
lose 1 2
pass 1
tick 1
waiting 1 2 heartbeat
run
tick 1
waiting 1 2 -
tick 1
waiting 1 2 heartbeat
run
lease 1 yes
