using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary>The words that make, remove and show domains.</summary>
internal static class DomainCommands
{
    public static IEnumerable<Command> All() =>
        [Define(), CreateCommand.Create(), ExportCommands.Import(), Rename(), Edit(), Autostart(), Persist(), Undefine(), List(), Show(), DumpXml()];

    private static CoppiceCommand Define()
    {
        var file = new Argument<string>("FILE") { Description = "Domain XML in libvirt's format; - reads standard input" };
        var validate = new Option<bool>("--validate")
        {
            Description = "Refuse a definition with anything that Coppice does not know",
        };
        var transient = new TransientOptions();
        var command = new CoppiceCommand(
            "define", "Make a domain known, or replace the definition of one that is off", [file, validate, .. transient.All]);
        transient.Restrict(command);
        return command.Requests(
            async (run, cancellation) =>
            {
                var xml = await InputFile.ReadAsync(run.Get(file), run.Surroundings, cancellation);
                if (run.Get(validate))
                {
                    DomainXml.Validate(xml);
                }

                return transient.Request(run, DomainXml.Parse(xml, run.Surroundings.Ids));
            },
            TransientOptions.Done);
    }

    private static CoppiceCommand Persist()
    {
        var domain = KnownNames.Domain();
        var off = new Option<bool>("--off") { Description = "The opposite: let one that runs go when it ends, unless something would be lost" };
        return new CoppiceCommand("persist", "Let a transient domain stay when it ends", domain, off)
            .Requests(
                (run, _) => Task.FromResult<Request?>(run.Get(off) ? new ReleaseDomain(run.Get(domain)) : new PersistDomain(run.Get(domain))),
                request => request is ReleaseDomain ? "goes when it ends" : "stays when it ends");
    }

    private static CoppiceCommand Autostart()
    {
        var domain = KnownNames.Domain();
        var off = new Option<bool>("--off") { Description = "No longer" };
        return new CoppiceCommand("autostart", "Have a domain started with the host, by 'start --autostart'", domain, off)
            .Requests(
                (run, _) => Task.FromResult<Request?>(new SetAutostart(run.Get(domain), !run.Get(off))),
                request => request is SetAutostart { IsOn: false } ? "is no longer started with the host" : "is started with the host");
    }

    private static CoppiceCommand Rename()
    {
        var domain = KnownNames.Domain();
        var name = new Argument<string>("NAME") { Description = "The new name" };
        return new CoppiceCommand("rename", "Give a domain another name", domain, name)
            .Requests(run => new RenameDomain(run.Get(domain), run.Get(name)), "renamed");
    }

    private static CoppiceCommand Edit()
    {
        var domain = KnownNames.Domain();
        var title = new Option<string?>("--title") { Description = "One line about it; an empty one removes it", HelpName = "TEXT" };
        var description = new Option<string?>("--description") { Description = "More about it; empty text removes it", HelpName = "TEXT" };
        var memory = Values.Option<ByteCount?>("--memory", "SIZE", "Its RAM, such as 512M or 2G; it must be off", text => Values.Size(text));
        var processors = Values.Option<int?>("--vcpus", "COUNT", "How many virtual CPUs it has; it must be off", text => Values.Count(text));
        Option[] all = [title, description, memory, processors];
        var command = new CoppiceCommand("edit", "Change what a domain says about itself, which may run, or its size", [domain, .. all]);
        command.Validators.Add(result =>
        {
            if (all.All(o => result.GetResult(o) is null))
            {
                result.AddError($"There is nothing to change: give {string.Join(" or ", all.Select(o => o.Name))}.");
            }
        });
        return command.Requests(
            run => new EditDomain(run.Get(domain), run.Get(title), run.Get(description)) { Memory = run.Get(memory), VirtualCpus = run.Get(processors) },
            "changed");
    }

    private static CoppiceCommand Undefine()
    {
        var domain = KnownNames.Domain();
        var snapshots = new Option<bool>("--snapshots") { Description = "Also if it has snapshots or tips: they go with it" };
        var keep = new Option<bool>("--keep")
        {
            Description = "Also if it has snapshots or tips: all that it has is kept in its folder, under another name",
        };
        var command = new CoppiceCommand("undefine", "Forget a domain that is off; images you brought stay", domain, snapshots, keep);
        SnapshotCommands.Exclude(command, snapshots, keep);
        return command
            .Asks(run => run.Get(snapshots) ? $"Undefine '{run.Get(domain)}' and lose all its snapshots?" : null)
            .Requests(run => new UndefineDomain(run.Get(domain), run.Get(snapshots)) { Keep = run.Get(keep) }, "undefined");
    }

    private static CoppiceCommand List() =>
        new CoppiceCommand("list", "List the domains and what they are doing")
            .Does(async (run, cancellation) =>
            {
                var list = await run.ListAsync(cancellation);
                run.Output.Domains([.. list.Domains.Select(DomainReport.Of)], [.. list.Broken.Select(BrokenReport.Of)]);
            });

    private static CoppiceCommand Show()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("show", "Show a domain: state, disks, snapshots", domain)
            .Does(async (run, cancellation) =>
                run.Output.Domain(DomainReport.Of(await run.ShowAsync(run.Get(domain), cancellation))));
    }

    private static CoppiceCommand DumpXml()
    {
        var domain = KnownNames.Domain();
        return new CoppiceCommand("dumpxml", "Print the definition of a domain, in libvirt's format", domain)
            .Does(async (run, _) =>
                run.Output.Xml(await run.Home.ReadDefinitionXmlAsync(run.Get(domain))));
    }
}
