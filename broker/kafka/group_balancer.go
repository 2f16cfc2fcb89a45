package kafka

import (
	"crypto/rand"
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trackmesh/trackmesh/broker"
)

// groupProtocol is the balancer's name in the group. Members that know another one cannot join.
const groupProtocol = "trackmesh"

// groupBalancer brings the placement into franz-go. It says that it is cooperative, so that members keep what they have
// through a rebalance, but returns the plan as it is, without the second rebalance in which a moved partition would change
// hands: the claim fences whoever had it before, so an overlap of two owners is harmless and the wait is saved.
type groupBalancer struct{ group *Group }

var (
	_ kgo.GroupBalancer           = (*groupBalancer)(nil)
	_ kgo.ConsumerBalancerBalance = (*groupBalancer)(nil)
)

// joinData is what a member says of itself besides what Kafka's own metadata holds.
type joinData struct {
	// Nonce makes each join differ from the last: a follower that joins again with equal metadata causes no rebalance.
	Nonce    []byte  `json:"n"`
	Draining bool    `json:"d,omitempty"`
	Warm     []int32 `json:"w,omitempty"`
}

func (b *groupBalancer) ProtocolName() string { return groupProtocol }

func (b *groupBalancer) IsCooperative() bool { return true }

func (b *groupBalancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics, m.Generation = 3, topics, generation
	for _, topic := range topics {
		if len(owned[topic]) > 0 {
			o := kmsg.NewConsumerMemberMetadataOwnedPartition()
			o.Topic, o.Partitions = topic, owned[topic]
			m.OwnedPartitions = append(m.OwnedPartitions, o)
		}
	}
	data := joinData{Nonce: make([]byte, 8)}
	_, _ = rand.Read(data.Nonce) // never fails
	data.Draining, data.Warm = b.group.presented()
	m.UserData, _ = json.Marshal(data) // plain fields
	return m.AppendTo(nil)
}

func (b *groupBalancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

func (b *groupBalancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance runs on the leader. The partitions are those of the log as it was opened, whatever the client's metadata says
// by now: a topic that grew under us stops nothing and is reported by Health.
func (b *groupBalancer) Balance(cb *kgo.ConsumerBalancer, _ map[string]int32) kgo.IntoSyncAssignment {
	log := b.group.log
	topics := []string{log.topicOf(broker.Input), log.topicOf(broker.Commands)}
	members := make([]*kmsg.JoinGroupResponseMember, 0, len(cb.Members()))
	candidates := make([]GroupCandidate, 0, len(cb.Members()))
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		members = append(members, m)
		candidates = append(candidates, candidate(m.MemberID, meta, topics[0]))
	})
	plan := cb.NewPlan()
	for p, owner := range b.group.opts.Place(candidates, log.layout.Partitions) {
		if owner < 0 || owner >= len(members) {
			continue
		}
		for _, topic := range topics {
			plan.AddPartition(members[owner], topic, int32(p)) //nolint:gosec // an index of an int32's range
		}
	}
	return plan
}

func candidate(id string, meta *kmsg.ConsumerMemberMetadata, input string) GroupCandidate {
	c := GroupCandidate{ID: id, Generation: meta.Generation}
	for _, o := range meta.OwnedPartitions {
		if o.Topic == input {
			c.Owned = slices.Clone(o.Partitions)
		}
	}
	var data joinData
	if json.Unmarshal(meta.UserData, &data) == nil { // a member of another version says less
		c.Draining, c.Warm = data.Draining, data.Warm
	}
	return c
}
