nodes 1 2 3
campaign 1
run
unreachable 1 2
propose 1 a
lose 1 2 append
run
progress 1 2 probe match 1 next 2
pass 1
progress 1 2 replicate match 2 next 3
