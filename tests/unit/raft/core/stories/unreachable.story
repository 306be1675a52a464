# A follower reported unreachable is probed instead of streamed to.
nodes 1 2 3
campaign 1
run
unreachable 1 2
progress 1 2 probe match 1 next 2
propose 1 a
settle 1
propose 1 b
settle 1
waiting 1 2 append
run
progress 1 2 replicate match 3 next 4
applied 2 a b
