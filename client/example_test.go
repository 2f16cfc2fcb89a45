package client_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/trackmesh/trackmesh/client"
	"github.com/trackmesh/trackmesh/internal/node"
)

// exampleNode is a whole system in this process, with two taxis. Yours runs elsewhere: dial its address.
func exampleNode(ctx context.Context) (address string, stop func()) {
	dir, err := os.MkdirTemp("", "trackmesh-example")
	if err != nil {
		log.Fatal(err)
	}
	o := node.DefaultOptions()
	o.HTTPAddr, o.DataDir, o.Demo, o.NodeName, o.CommitInterval = "127.0.0.1:0", dir, "off", "example", 10*time.Millisecond
	n, err := node.Start(ctx, o, slog.New(slog.DiscardHandler))
	if err != nil {
		log.Fatal(err)
	}
	address = "http://" + n.Addr()
	c, err := client.New(client.Options{Server: address})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseIdle()
	positions := `{"vehicle":"taxi-1","time":"2026-03-01T12:00:00Z","longitude":-73.98,"latitude":40.75,"speed":8}
{"vehicle":"taxi-1","time":"2026-03-01T12:00:10Z","longitude":-73.979,"latitude":40.751,"speed":9}
{"vehicle":"taxi-2","time":"2026-03-01T12:00:05Z","longitude":-73.78,"latitude":40.64,"speed":0}
`
	if _, err := c.NewProducer(client.ProducerOptions{}).Send(ctx, "application/x-ndjson", []byte(positions), 3); err != nil {
		log.Fatal(err)
	}
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()
	for { // the positions are stored; now they are on their way through the tracks
		one, err := mesh.Track("taxi-1").Get(ctx)
		if err == nil && one.Time.Second() == 10 {
			if _, err = mesh.Track("taxi-2").Get(ctx); err == nil {
				break
			}
		}
	}
	return address, func() {
		_ = n.Stop(context.Background())
		_ = os.RemoveAll(dir)
	}
}

func ExampleDial() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()

	mesh, err := client.Dial(ctx, address) // any node of the cluster, or several
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()
	cluster, err := mesh.Cluster(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(cluster.GetMembers()), "node,", len(cluster.GetPartitions()), "partitions")
	// Output: 1 node, 8 partitions
}

func ExampleTrack_Get() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()

	taxi, err := mesh.Track("taxi-1").Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %s at %.3f,%.3f with %.0f m/s\n", taxi.Vehicle, taxi.Status, taxi.Position.Longitude, taxi.Position.Latitude, taxi.SpeedMPS)
	// Output: taxi-1 is moving at -73.979,40.751 with 9 m/s
}

func ExampleTrack_Send() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()

	taxi := mesh.Track("taxi-1")
	receipt, err := taxi.Send(ctx, client.Annotate{"driver": "Ann"}, client.SendOptions{Wait: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("applied:", receipt.Applied)
	for u, err := range taxi.Watch(ctx, client.WatchOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		if u.State != nil && u.State.Attributes != nil {
			fmt.Println(string(u.State.Attributes))
			break
		}
	}
	// Output:
	// applied: true
	// {"driver":"Ann"}
}

func ExampleTrack_Watch() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()

	for u, err := range mesh.Track("taxi-2").Watch(ctx, client.WatchOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		// Keep u.Cursor and give it to WatchOptions after a restart of your program: no event is missed and none comes twice.
		if u.Event != nil {
			fmt.Println("event", u.Event.Type)
		}
		if u.State != nil {
			fmt.Println(u.State.Vehicle, u.State.Status)
			break // or watch on
		}
	}
	// Output: taxi-2 moving
}

func ExampleTrack_Path() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()

	way, err := mesh.Track("taxi-1").Path(ctx, client.PathQuery{Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, fix := range way.Fixes {
		fmt.Printf("%s %.3f,%.3f\n", fix.Time.Format(time.TimeOnly), fix.Position.Longitude, fix.Position.Latitude)
	}
	// Output:
	// 12:00:00 -73.980,40.750
	// 12:00:10 -73.979,40.751
}

func ExampleMesh_Search() {
	ctx := context.Background()
	address, stop := exampleNode(ctx)
	defer stop()
	mesh, err := client.Dial(ctx, address)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()

	near, err := mesh.Search(ctx, client.Query{Near: &client.Near{Place: client.Point{Longitude: -73.98, Latitude: 40.75}, K: 1}})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range near.Found {
		fmt.Printf("%s, %.0f m away\n", f.Vehicle, f.DistanceMetres)
	}
	fmt.Println("partitions that could not be asked:", len(near.Missing))
	// Output:
	// taxi-1, 140 m away
	// partitions that could not be asked: 0
}
