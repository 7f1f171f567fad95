using System.CommandLine;
using Coppice.Server;

namespace Coppice.Cli.Commands;

/// <summary><c>serve</c>: libvirt's clients are answered until it is stopped.</summary>
internal static class ServeCommand
{
    public static Command Serve()
    {
        var socket = new Option<string?>("--socket")
        {
            Description = "Listen at this path, for root and the user of this command: virsh -c 'qemu+unix:///system?socket=PATH'",
            HelpName = "PATH",
        };
        var readOnly = new Option<string?>("--read-only-socket")
        {
            Description = "Also listen at this path, for whoever its group lets in; nobody can change anything there",
            HelpName = "PATH",
        };
        return new CoppiceCommand("serve", "Answer libvirt's clients, such as virsh and virt-manager, until it is stopped", socket, readOnly)
            .Does(async (run, cancellation) =>
            {
                var options = new LibvirtServerOptions
                {
                    Socket = run.Get(socket),
                    ReadOnlySocket = run.Get(readOnly),
                    Variable = run.Surroundings.Variable,
                    Ids = run.Surroundings.Ids,
                    Time = run.Surroundings.Time,
                };
                var log = new ErrorLog(run.Surroundings.Error);
                try
                {
                    await new LibvirtServer(run.Home, options, log).RunAsync(() => log.Say("ready"), cancellation);
                }
                catch (OperationCanceledException)
                {
                    // That is how it ends.
                    return;
                }
            });
    }
}
