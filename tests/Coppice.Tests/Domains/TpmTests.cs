using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class TpmTests
{
    [Theory]
    [InlineData("<tpm model='tpm-crb'><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>", TpmModel.Crb)]
    [InlineData("<tpm model='tpm-tis'><backend type='emulator'/></tpm>", TpmModel.Tis)]
    [InlineData("<tpm><backend type='emulator'/></tpm>", TpmModel.Tis)]
    public async Task One_that_is_emulated_is_read_and_written(string element, TpmModel model)
    {
        var definition = DomainXml.Parse(Documents.With(element));
        Assert.Equal(model, definition.Tpm!.Model);
        Assert.Empty(definition.Obstacles);
        var written = DomainXml.Format(definition);
        Assert.Contains("version=\"2.0\"", written, StringComparison.Ordinal);
        Assert.Equal(definition, DomainXml.Parse(written));
        await LibvirtSchema.AssertValidAsync("domain.rng", [written]);
    }

    [Theory]
    [InlineData("<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>", "devices/tpm/backend/@type", "emulator")]
    [InlineData("<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>", "devices/tpm/backend/@version", "2.0")]
    [InlineData("<tpm model='tpm-spapr'><backend type='emulator'/></tpm>", "devices/tpm/@model", "tpm-crb")]
    [InlineData("<tpm><backend type='emulator'><active_pcr_banks><sha1/></active_pcr_banks></backend></tpm>", "devices/tpm/backend/active_pcr_banks", "remove it")]
    [InlineData("<tpm><backend type='emulator'><encryption secret='6dd3e4a5-1d76-44ce-961f-f119f5aad935'/></backend></tpm>", "devices/tpm/backend/encryption", "can then read")]
    public void What_is_not_supported_prevents_a_start_and_is_named(string element, string path, string nextStep)
    {
        var obstacle = Assert.Single(DomainXml.Parse(Documents.With(element)).Obstacles);
        Assert.Equal(path, obstacle.Path);
        Assert.Contains(nextStep, obstacle.NextStep, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<tpm model='tpm-crb'/>", "backend")]
    [InlineData("<tpm><backend/></tpm>", "type")]
    [InlineData("<tpm><backend type='emulator'/></tpm><tpm><backend type='emulator'/></tpm>", "two of")]
    public void What_contradicts_itself_is_refused(string elements, string problem) => Assert.Contains(
        problem, Assert.Throws<CoppiceException>(() => DomainXml.Parse(Documents.With(elements))).Message, StringComparison.Ordinal);
}
