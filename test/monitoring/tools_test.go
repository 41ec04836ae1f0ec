package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// stackFile is what is looked at of a stack.
type stackFile struct {
	Services map[string]struct {
		Image    string
		Networks []string
		Ports    []any
		Secrets  []struct{ Source string }
		Configs  []struct{ Source, Target string }
	}
	Networks map[string]struct {
		External bool
		Name     string
	}
	Configs map[string]struct{ File, Name string }
	Secrets map[string]struct{ Name string }
}

func stack(t *testing.T, file string) stackFile {
	t.Helper()
	var s stackFile
	if err := yaml.Unmarshal(read(t, file), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Prometheus finds what it asks the swarm for: each name is a service of the
// stack, on a network that Prometheus is on too, by the name that it has in the
// swarm.
func TestTools_PrometheusReachesTheStack(t *testing.T) {
	t.Parallel()
	main, tools := stack(t, "stack.yml"), stack(t, "tools.yml")
	for _, job := range scrapeConfigs(t) {
		for _, dns := range job.DNS {
			for _, name := range dns.Names {
				service, ok := main.Services[strings.TrimPrefix(name, "tasks.")]
				if !ok {
					t.Errorf("prometheus.yml asks for %s, which is no service of stack.yml", name)
				}
				if !slices.ContainsFunc(service.Networks, func(n string) bool { return slices.Contains(tools.Services["prometheus"].Networks, n) }) {
					t.Errorf("%s and Prometheus share no network", name)
				}
			}
		}
	}
	for name, network := range tools.Networks {
		if !network.External {
			continue
		}
		if _, ok := main.Networks[name]; !ok || !strings.HasSuffix(network.Name, "}_"+name) {
			t.Errorf("the network %s is %q and not one of stack.yml", name, network.Name)
		}
	}
}

// Images are pinned, no port is open unasked, each file that is mounted is there,
// and every rule and dashboard is mounted.
func TestTools_Form(t *testing.T) {
	t.Parallel()
	tools := stack(t, "tools.yml")
	mounted := map[string]bool{}
	for name, service := range tools.Services {
		if !regexp.MustCompile(`:v?\d+\.\d+\.\d+$`).MatchString(service.Image) {
			t.Errorf("%s has the image %s, which is not pinned", name, service.Image)
		}
		if len(service.Ports) > 0 {
			t.Errorf("%s publishes ports unasked", name)
		}
		for _, config := range service.Configs {
			mounted[tools.Configs[config.Source].File] = true
		}
		for _, secret := range service.Secrets {
			if tools.Secrets[secret.Source].Name == "" {
				t.Errorf("%s has the secret %s, which is not declared", name, secret.Source)
			}
		}
	}
	for _, pattern := range []string{"prometheus/prometheus.yml", "prometheus/rules/*.yml", "grafana/dashboards/*.json", "grafana/provisioning/*/*.yml"} {
		files, err := filepath.Glob(deployed(t, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			relative, err := filepath.Rel(deployed(t, "."), file)
			if err != nil || !mounted[relative] {
				t.Errorf("%s is not mounted by tools.yml (%v)", relative, err)
			}
			delete(mounted, relative)
		}
	}
	for file := range mounted {
		t.Errorf("tools.yml mounts %q, which is not there", file)
	}
}

// Docker takes the file; clients that cannot say so without a swarm, before
// version 25, do not check it.
func TestTools_DockerTakesThem(t *testing.T) {
	t.Parallel()
	docker := clientWithConfig(t)
	if docker == "" {
		t.Log("no docker here that knows `docker stack config`: the form alone was checked")
		return
	}
	cmd := exec.CommandContext(t.Context(), docker, "stack", "config", "--compose-file", deployed(t, "tools.yml"))
	cmd.Env = append(os.Environ(), "STACK=matriq-tools", "REGISTRATION=matriq")
	for _, variable := range regexp.MustCompile(`\$\{((?:CONFIG|SECRET)_[A-Z_]+)\}`).FindAllStringSubmatch(string(read(t, "tools.yml")), -1) {
		cmd.Env = append(cmd.Env, variable[1]+"=x")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker stack config: %v\n%s", err, out)
	}
}

func clientWithConfig(t *testing.T) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) { //nolint:forbidigo // several clients may be installed
		docker := filepath.Join(dir, "docker")
		help, err := exec.CommandContext(t.Context(), docker, "stack", "--help").Output() //nolint:gosec // G702: the docker that is installed
		if err == nil && regexp.MustCompile(`(?m)^  config `).Match(help) {
			return docker
		}
	}
	return ""
}
