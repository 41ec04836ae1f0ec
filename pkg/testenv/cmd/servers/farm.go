package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"matriq/pkg/testenv"
	"matriq/pkg/testenv/servers"
)

// patience is what an interrupted command gets before it is killed.
const patience = 10 * time.Second

// farm is the three servers.
type farm struct {
	folder               *servers.Folder
	rabbit, maria, redis *servers.Instance
}

// open starts the servers side by side.
func open(ctx context.Context) (*farm, error) {
	folder, err := servers.NewFolder()
	if err != nil {
		return nil, err
	}
	f := &farm{folder: folder}
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return startAs(ctx, folder, servers.RabbitMQ, &f.rabbit) })
	group.Go(func() error { return startAs(ctx, folder, servers.MariaDB, &f.maria) })
	group.Go(func() error { return startAs(ctx, folder, servers.Redis, &f.redis) })
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	fmt.Fprintf(os.Stderr, "servers: rabbitmq, mariadb and redis serve after %v, in %s\n",
		time.Since(start).Round(100*time.Millisecond), folder.Path)
	return f, nil
}

func startAs(
	ctx context.Context, folder *servers.Folder,
	prepare func(context.Context, *servers.Folder) (*servers.Instance, error), at **servers.Instance,
) error {
	instance, err := prepare(ctx, folder)
	if err != nil {
		return err
	}
	*at = instance
	return instance.Start(ctx)
}

// close ends the servers and removes their data.
func (f *farm) close() error {
	var errs []error
	for _, instance := range []*servers.Instance{f.rabbit, f.maria, f.redis} {
		if instance != nil {
			errs = append(errs, instance.Close())
		}
	}
	return errors.Join(append(errs, f.folder.Remove())...)
}

func (f *farm) env() []string {
	return append(os.Environ(),
		testenv.VarAMQP+"="+f.rabbit.URL,
		testenv.VarAMQPAPI+"="+f.rabbit.API,
		testenv.VarMySQL+"="+f.maria.URL,
		testenv.VarRedis+"="+f.redis.URL,
	)
}

// command runs args in a process group of its own, which is killed as a whole
// once the command has ended: go test leaves its tests behind when it is killed.
func (f *farm) command(ctx context.Context, args []string) (code int, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // G204: what the caller asked for
	cmd.Env = f.env()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if err := f.folder.Doom(cmd.Process.Pid); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	if killed := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); killed != nil && !errors.Is(killed, syscall.ESRCH) {
		err = errors.Join(err, killed)
	}
	if ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}
