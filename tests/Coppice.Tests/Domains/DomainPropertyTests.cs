using Coppice.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Domains;

public sealed class DomainPropertyTests
{
    [Fact]
    public void Reading_what_was_written_gives_an_equal_domain() => Prop.ForAll(
        Arb.From(Definitions.Any), definition => DomainXml.Parse(DomainXml.Format(definition)) == definition)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public Task Whatever_is_written_satisfies_libvirts_schema() =>
        LibvirtSchema.AssertValidAsync("domain.rng", Definitions.Any.Sample(200, 20).Select(DomainXml.Format));

    [Fact]
    public Task Whatever_is_sealed_satisfies_libvirts_schema() => LibvirtSchema.AssertValidAsync(
        "domain.rng", Definitions.Any.Sample(200, 20).Select(d => DomainXml.Format(DomainSeal.AssignAddresses(d))));

    [Fact]
    public void Sealing_again_changes_nothing() => Prop.ForAll(Arb.From(Definitions.Any), definition =>
    {
        var once = DomainSeal.AssignAddresses(definition);
        return DomainSeal.AssignAddresses(once) == once && DomainXml.Parse(DomainXml.Format(once)) == once;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void A_device_added_later_moves_no_other() => Prop.ForAll(
        Arb.From(Definitions.Any), Arb.From(Definitions.AddedDevice), (definition, added) =>
        {
            var before = DomainSeal.AssignAddresses(definition);
            var after = DomainSeal.AssignAddresses(before with { Devices = [added, .. before.Devices] });
            return after.Devices.Skip(1).Take(before.Devices.Count).SequenceEqual(before.Devices);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void No_two_devices_share_a_PCI_slot() => Prop.ForAll(Arb.From(Definitions.Any), definition =>
    {
        var slots = DomainSeal.AssignAddresses(definition).Devices.Select(d => d.Address).OfType<PciAddress>().ToList();
        return slots.Distinct().Count() == slots.Count;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
}
