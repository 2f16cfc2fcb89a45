// Package discovery says where the first members may be found: a list, DNS, or Marathon's API. It gives seeds only. Who is a
// member, gossip decides; a seed that is wrong or dead costs a log line.
//
// Parse reads what --join says. A Keeper, which internal/node starts once gossip listens and stops before it leaves, joins the
// seeds at once and then looks again every ten seconds or so, while this node is alone or a seed is no member: so two halves of a
// cluster that never heard of each other find together, and tasks that Marathon starts later are found whoever starts first. No
// seed answering is no failure: the first node of a cluster has nobody to join.
package discovery
