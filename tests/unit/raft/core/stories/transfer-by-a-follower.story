# A follower passes the wish on; a learner or a stranger is no target.
nodes 1 2 3
campaign 1
run
transfer 2 2
run
expect 2 role leader term 2
transfer 2 9
refused InvalidArgument
