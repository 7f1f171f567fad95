using System.CommandLine;
using Coppice.Cli.Reports;

namespace Coppice.Cli.Commands;

/// <summary><c>capabilities</c>.</summary>
internal static class CapabilitiesCommand
{
    public static Command Capabilities() =>
        new CoppiceCommand("capabilities", "List what the hypervisor can do; what it lacks is refused while planning")
            .Does(async (run, cancellation) =>
                run.Output.Capabilities(CapabilitiesReport.Of(await run.Drivers.Hypervisor.CapabilitiesAsync(cancellation))));
}
