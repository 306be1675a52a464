# The target catches up, is told, and is elected at once in spite of the lease.
nodes 1 2 3
campaign 1
run
pass 1
transfer 1 3
run
expect 3 role leader term 2
expect 1 role follower leader 3
