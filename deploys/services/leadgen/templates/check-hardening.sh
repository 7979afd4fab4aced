# The effect of the drop-ins in Podman and systemd, for each service.
for service in {{ services | join(" ") }}; do
    unit=motorcade-leadgen-$service
    found=$(podman inspect --format '{% raw %}{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.BoundingCaps}} {{.HostConfig.SecurityOpt}} {{.Config.User}}{% endraw %}' $unit)
    wanted='true [] [] [no-new-privileges] {{ user }}:{{ user }}'
    [ "$found" = "$wanted" ] || { echo "$unit: $found, expected $wanted"; exit 1; }
    found=$(systemctl show --value --property=MemoryMax,TasksMax,CPUQuotaPerSecUSec,Restart $unit.service | sort | xargs)
    wanted=$(printf '%s\n' {{ memory_max_mb * 1048576 }} 128 {{ cpu_quota }} always | sort | xargs)
    [ "$found" = "$wanted" ] || { echo "$unit: $found, expected $wanted"; exit 1; }
done
