# The machine around a guest: switched on once, it starts the guest, and again whenever that asks for a reboot.
# $1 is the interface outside, $2 its address; what follows is the guest's command.
interface=$1 address=$2
shift 2

there() { [ -e "/sys/class/net/$interface" ]; }

connect() {
    for _ in $(seq 200); do
        if there && ip address replace "$address/24" dev "$interface" && ip link set "$interface" up; then return; fi
        sleep 0.05
    done
}

while
    connect &
    "$@"
    [ $? = 133 ] # systemd-nspawn(1), --keep-unit: the guest asked for it
do
    wait
    while there; do sleep 0.05; done
done
