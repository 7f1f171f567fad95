using System.Collections.Immutable;
using System.CommandLine;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>create</c>: a domain without writing XML.</summary>
internal static class CreateCommand
{
    public static Command Create() => new Form().Command();

    private sealed class Form
    {
        private readonly Argument<string> _name = new("NAME") { Description = "The name of the domain" };
        private readonly Option<NewDisk[]> _disks = Values.Options(
            "--disk", "[raw:|qcow2:]IMAGE",
            "An image or block device for a disk; can be repeated. The format is needed unless the name ends in it or is a device's",
            Values.Image);

        private readonly Option<ByteCount?> _memory = Values.Option<ByteCount?>(
            "--memory", "SIZE", "How much RAM, such as 512M or 2G", text => Values.Size(text));

        private readonly Option<int?> _cpus = Values.Option<int?>(
            "--vcpus", "COUNT", "How many virtual CPUs; 1 if not given", text => Values.Count(text));

        private readonly Option<string?> _seed = new("--seed") { Description = "A cloud-init seed image", HelpName = "ISO" };
        private readonly Option<string?> _cdrom = new("--cdrom") { Description = "A CD-ROM image; booted from when no disk boots", HelpName = "ISO" };
        private readonly Option<NewNetwork[]> _networks = Values.Options(
            "--network", "user|none|bridge=NAME|tap=NAME",
            "What a network card is connected to: the host's own connections (user, if not given), a bridge of the host, or a "
            + "tap device that exists; can be repeated. Or none, for no card",
            Values.Network);

        private readonly Option<NewForward[]> _forwards = Values.Options(
            "--forward", "HOST:GUEST", "A TCP port of this host's loopback address that leads to the guest; can be repeated", NewForward.Parse);

        private readonly Option<bool> _uefi = new("--uefi") { Description = "Boot by the host's UEFI firmware instead of BIOS" };
        private readonly Option<bool> _tpm = new("--tpm") { Description = "Give it a TPM 2.0, emulated by swtpm" };
        private readonly Option<string?> _kernel = new("--kernel") { Description = "A kernel to start without a boot loader", HelpName = "FILE" };
        private readonly Option<string?> _initrd = new("--initrd") { Description = "The initial RAM disk of that kernel", HelpName = "FILE" };
        private readonly Option<string?> _append = new("--append") { Description = "The command line of that kernel", HelpName = "TEXT" };
        private readonly TransientOptions _transient = new();

        public CoppiceCommand Command()
        {
            _disks.Required = true;
            _memory.Required = true;
            var command = new CoppiceCommand(
                "create", "Make a domain from images, without writing XML",
                [
                    _name, _disks, _memory, _cpus, _seed, _cdrom, _networks, _forwards, _uefi, _tpm, _kernel, _initrd, _append,
                    .. _transient.All,
                ]);
            _transient.Restrict(command);
            command.Validators.Add(result =>
            {
                if (result.GetResult(_kernel) is null && (result.GetResult(_initrd) ?? result.GetResult(_append)) is not null)
                {
                    result.AddError("--initrd and --append need --kernel");
                }
            });
            command.Validators.Add(result =>
            {
                var networks = result.GetResult(_networks)?.Tokens ?? [];
                if (networks.Count > 1 && networks.Any(t => t.Value == Values.NoNetwork))
                {
                    result.AddError($"--network {Values.NoNetwork} contradicts another --network");
                }
            });
            return command.Requests(
                async (run, cancellation) => _transient.Request(run, Definition(run, await DisksAsync(run, cancellation))), TransientOptions.Done);
        }

        /// <summary>The disks, each of the type that its image has.</summary>
        private async Task<ImmutableArray<NewDisk>> DisksAsync(Invocation run, CancellationToken cancellation)
        {
            var disks = run.Get(_disks)!;
            var found = await run.Drivers.Storage.ObserveFilesAsync(disks.Select(d => d.Path), cancellation);
            return [.. disks.Select(d => found.TryGetValue(d.Path, out var image) ? d with { Type = image.Type } : d)];
        }

        private DomainDefinition Definition(Invocation run, ImmutableArray<NewDisk> disks)
        {
            var definition = new NewDomain
            {
                Name = run.Get(_name),
                Disks = disks,
                Memory = run.Get(_memory)!.Value,
                VirtualCpus = run.Get(_cpus) ?? 1,
                Seed = run.Path(_seed),
                Cdrom = run.Path(_cdrom),
                Uefi = run.Get(_uefi),
                Tpm = run.Get(_tpm),
                Networks = run.Has(_networks) ? [.. run.Get(_networks)!] : [new NewNetwork(Tap: null)],
                Forwards = run.Get(_forwards)?.ToImmutableArray() ?? [],
            }.ToDefinition(run.Surroundings.Ids);
            return run.Path(_kernel) is not { } kernel ? definition : definition with
            {
                Os = definition.Os with { Kernel = kernel, Initrd = run.Path(_initrd), CommandLine = run.Get(_append) },
            };
        }
    }
}
