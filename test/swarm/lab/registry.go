package lab

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// registryBox is the container of the registry, and the volume that has its
// images from one run to the next.
const registryBox = "matriq-lab-registry"

// serveImages starts the registry and puts the images of others into it, under
// the names by which the nodes ask their mirror for them.
func (s *Swarm) serveImages(ctx context.Context, net network) error {
	d := s.engine.docker
	_, err := d.run(ctx, "run", "--detach", "--name", registryBox, "--label", threeLabel,
		"--network", net.name, "--ip", net.addr(registryHost), "--publish", "127.0.0.1::"+registryPort,
		"--volume", registryBox+":/var/lib/docker-registry", registryImage)
	if err != nil {
		return err
	}
	address, err := d.run(ctx, "port", registryBox, registryPort) // a loopback address needs no certificate
	if err != nil {
		return err
	}
	if err := awaitRegistry(ctx, address); err != nil {
		return err
	}
	var all errgroup.Group
	for _, i := range standIns() {
		all.Go(func() error { return push(ctx, d, i.tag, address+"/library/"+i.tag) })
	}
	return all.Wait()
}

// registryPatience is how long the registry may take to begin.
const registryPatience = 30 * time.Second

// awaitRegistry returns once the registry answers: the engine takes connections to
// a container's port before anybody listens there.
func awaitRegistry(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	return poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
}

// push puts an image into a registry under the name that says which.
func push(ctx context.Context, d docker, tag, name string) (err error) {
	if _, err := d.run(ctx, "tag", tag, name); err != nil {
		return err
	}
	defer func() {
		_, failed := d.run(context.WithoutCancel(ctx), "rmi", name) // only the name
		err = errors.Join(err, failed)
	}()
	_, err = d.run(ctx, "push", "--quiet", name)
	return err
}
