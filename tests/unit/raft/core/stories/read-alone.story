# A group of one reads at once, after its first commit.
nodes 1
campaign 1
run
lease 1 yes
read 1 r
settle 1
answer 1 r 1
