@description('Where all of it goes')
param location string = resourceGroup().location
param queueName string = 'parcels'
param topics array = [
  'events'
]

resource bus 'Microsoft.ServiceBus/namespaces@2022-10-01-preview' = {
  name: 'sb-parcels-${uniqueString(resourceGroup().id)}'
  location: location
  sku: { name: 'Standard' }

  resource parcels 'queues' = {
    name: queueName
    properties: {
      maxDeliveryCount: 5
      lockDuration: 'PT30S' // labels are quick
      deadLetteringOnMessageExpiration: true
      defaultMessageTimeToLive: 'P7D'
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT5M'
      autoDeleteOnIdle: autoDelete
    }
  }
}

resource topic 'Microsoft.ServiceBus/namespaces/topics@2022-10-01-preview' = [for name in topics: {
  parent: bus
  name: name
}]

resource audit 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2022-10-01-preview' = {
  name: '${bus.name}/events/audit'
  properties: { maxDeliveryCount: 10 }
}

resource sender 'Microsoft.ServiceBus/namespaces/authorizationRules@2022-10-01-preview' = {
  parent: bus
  name: 'api'
  properties: { rights: [ 'Send' ] }
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'stparcels'
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
}

resource labels 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  name: '${storage.name}/default/labels'
}
