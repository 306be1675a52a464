# Nobody campaigns before its timeout; after twice the election ticks somebody has.
nodes 1 2 3
tick all 10
expect 1 role follower term 0
expect 2 role follower term 0
expect 3 role follower term 0
tick 2 12
run
expect 2 role leader term 1
