#include "witness.h"

#include <signal.h>
#include <stdio.h>

#define PORT "org.coppice.witness"

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    pulse_start();
    power_watch();
    while (!port_open(PORT))
        clock_sleep_us(20000); // the port may be plugged in later
    port_say("witness %016llx", (unsigned long long)boot_id());
    for (;;)
        port_pump(50, request_take);
}
