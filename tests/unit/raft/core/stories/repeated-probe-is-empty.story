# A probe may be large and slow rather than lost: it is repeated without its entries.
nodes 1 2 3
campaign 1
run
unreachable 1 2
propose 1 a
settle 1
lose 1 2 append
tick 1
deliver 1 2 heartbeat
deliver 2 1 heartbeat-answer
progress 1 2 probe match 1 next 2
deliver 1 2 append
expect 2 last 1
deliver 2 1 append-answer
progress 1 2 replicate match 1 next 3
deliver 1 2 append
expect 2 last 2
