using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Answers what is asked of the notes in the definition of a domain: title, description, and what programs keep there.</summary>
internal sealed class NoteCalls(Domains domains)
{
    // virDomainModificationImpact.
    private const uint Live = 1, Configured = 2;

    /// <summary>Adds them.</summary>
    public void AddTo(CallTable calls)
    {
        calls.Reads(DomainProcedures.GetMetadata, async (_, asked) =>
        {
            await RequireAsync(asked.Domain, asked.Flags).ConfigureAwait(false);
            var catalog = await domains.FindAsync(asked.Domain).ConfigureAwait(false);
            var xml = await domains.Home.ReadDefinitionXmlAsync(catalog.Domain.ToString()).ConfigureAwait(false);
            return Find(DomainXml.Parse(xml), asked.Type, asked.Namespace)
                ?? throw new RpcException(RpcCode.NoMetadata, RpcOrigin.Qemu, "metadata not found: Requested metadata element is not present");
        });
        calls.Changes(DomainProcedures.SetMetadata, async (caller, asked) =>
        {
            await RequireAsync(asked.Domain, asked.Flags).ConfigureAwait(false);
            return await domains.RunAsync(asked.Domain, id => Edited(id, asked.Type, asked.Text, asked.Place), caller).ConfigureAwait(false);
        });
    }

    private static string? Find(DomainDefinition definition, int type, string? @namespace) => type switch
    {
        NoteChange.Description => definition.Description,
        NoteChange.Title => definition.Title,
        NoteChange.Element => DomainNote.ReadAll(definition.Metadata).GetValueOrDefault(@namespace ?? ""),
        _ => throw Unknown(type),
    };

    private static EditDomain Edited(string domain, int type, string? text, (string? Prefix, string? Namespace) place) => type switch
    {
        NoteChange.Description => new(domain, Description: text ?? ""),
        NoteChange.Title => new(domain, Title: text ?? ""),
        NoteChange.Element => new(domain) { Note = new DomainNote(place.Namespace ?? "", place.Prefix ?? "", text) },
        _ => throw Unknown(type),
    };

    private static RpcException Unknown(int type) => RpcException.InvalidArgument($"there is no metadata of type {type}");

    /// <summary>A domain has one definition, whether it runs or not; but one that is off has nothing that lives.</summary>
    private async Task RequireAsync(RemoteDomain domain, uint flags)
    {
        Flags.Require(flags, Live | Configured, "metadata");
        if (flags.Has(Live))
        {
            await domains.FindActiveAsync(domain).ConfigureAwait(false);
        }

        if (flags.Has(Configured) && (await domains.FindAsync(domain).ConfigureAwait(false)).Persistence is Persistence.Transient or Persistence.Trial)
        {
            throw RpcException.OperationInvalid("transient domains do not have any persistent config");
        }
    }
}
